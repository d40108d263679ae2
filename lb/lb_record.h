/*
 * lb_record.h - one load-balancing step as lb/ records it and prof/ stores it.
 *
 * A fixed head, then npes c4i_lb_pe, then nobjs c4i_lb_placed, then nobjs
 * c4i_lb_object, in host byte order.  Imbalance is max/avg - 1 of load/speed.
 */
#ifndef C4I_LB_RECORD_H
#define C4I_LB_RECORD_H

#include <stdint.h>

#define C4I_LB_RECORD_VERSION 1u

typedef struct c4i_lb_step {
    uint32_t version, round;
    uint32_t npes, nobjs, nmoves;
    uint32_t pad;
    uint64_t begin_ns, end_ns;              /* of the decision, since the job began */
    uint64_t strategy_ns;
    uint64_t seed;
    double   imbalance_before;
    double   imbalance_predicted;
    char     strategy[48], options[96], metric[16], reason[48];
} c4i_lb_step;

typedef struct c4i_lb_placed {
    uint32_t from, to;
    double   load;                          /* by the chosen metric */
} c4i_lb_placed;

#endif
