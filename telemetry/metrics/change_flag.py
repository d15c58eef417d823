"""ChangeFlag: whether anything was measured, said by the instruments themselves, at next to no cost."""


class ChangeFlag:
    __slots__ = ("happened",)

    def __init__(self) -> None:
        self.happened = False

    def since_last_asked(self) -> bool:
        happened, self.happened = self.happened, False
        return happened
