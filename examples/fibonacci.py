"""Fibonacci numbers by brute force: every call is a task of the pool.

    charmrun +p4 fibonacci.py 20 [smallest]

A task that needs the results of others is a coroutine (@coro): while it waits, its worker
runs other tasks. That makes as many tasks as there are calls. With `smallest` (say, 15)
tasks below that number call themselves instead, as a program that is in a hurry would.
"""
import sys
import time

from charm4py import charm, coro


def plain_fib(n):
    return n if n < 2 else plain_fib(n - 1) + plain_fib(n - 2)


@coro
def fib(n, smallest):
    if n < 2 or n < smallest:
        return plain_fib(n)
    parts = [charm.pool.Task(fib, (n - 1, smallest), ret=True),
             charm.pool.Task(fib, (n - 2, smallest), ret=True)]
    return sum(part.get() for part in parts)


@coro
def fib_by_map(n):
    return n if n < 2 else sum(charm.pool.map(fib_by_map, [n - 1, n - 2]))


def main(args):
    n = int(args[1]) if len(args) > 1 else 20
    smallest = int(args[2]) if len(args) > 2 else 2
    begin = time.perf_counter()
    result = fib_by_map(n) if smallest <= 2 else fib(n, smallest)
    seconds = time.perf_counter() - begin
    print(f'fibonacci({n}) = {result}')
    print(f'{seconds:.3f} s', file=sys.stderr)
    exit()


charm.start(main)
