"""Chares of a module that another one imports."""
from charm4py import Chare


class Shape(Chare):

    def who(self):
        return self.text


class Circle(Shape):
    text = 'circle'


class Square(Shape):
    text = 'square'


def area(x):
    return x * x
