"""Imports shapes: which of the two is first depends on who imports whom."""
import dataclasses

import shapes


class Large(shapes.Shape):
    text = 'large'

    def back(self, x):
        return x


@dataclasses.dataclass
class Value:
    x: int
