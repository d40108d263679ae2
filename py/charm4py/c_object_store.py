"""A name of charm4py.object_store, for programs that import it."""

from .object_store import ObjectStore, store
