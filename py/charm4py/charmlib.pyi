class CharmLib:
    name: str
