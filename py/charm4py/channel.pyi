from ._c4 import Channel as Channel
