"""What is on file of the children in one batch of rows, read with a handful of statements for all of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from handlers import enrolment
from handlers.import_cells import Faulty
from handlers.import_places import Directory
from handlers.import_rows import ChildRow
from storage import rolls
from storage.areas import Area
from storage.children import Child, Side
from storage.people import Person


@dataclass
class OnFile:
    """The children that the rows of a batch may mean."""

    directory: Directory
    rows: Sequence[ChildRow]
    _by_number: dict[bytes, Child] = field(default_factory=dict)
    _by_name: dict[bytes, list[Child]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        numbers = [enrolment.id_number_index(row.id_number) for row in self.rows if row.id_number]
        names = {enrolment.name_index(row.name) for row in self.rows}
        for child in rolls.children_by(self.directory.turn.session, numbers, names):
            self.note(child)

    def note(self, child: Child) -> None:
        """Know this child; a later row of the batch may mean it too."""
        if child.id_number_index is not None:
            self._by_number[child.id_number_index] = child
        self._by_name[child.name_index].append(child)

    def find(self, row: ChildRow, village: Area | None) -> Child | None:
        """By ID number, else by name, birth date and village; raises Faulty when that is not one child."""
        if row.id_number:
            found = self._by_number.get(enrolment.id_number_index(row.id_number))
            if found is not None:
                return found
        if village is None:
            return None
        like = [
            child
            for child in self._by_name.get(enrolment.name_index(row.name), [])
            if child.born == row.born
            and self.directory.path(child.area_id).startswith(village.path)
            and not (row.id_number and child.id_number)  # somebody else's number makes it somebody else
        ]
        if len(like) > 1:
            raise Faulty("child_ambiguous")
        return like[0] if like else None

    def has(self, child: Child, category: str) -> bool:
        """Whether a child that was on file before has this category."""
        return (child.id, category) in self._categories

    def follows(self, person: Person, child: Child, side: Side) -> bool:
        """Whether a person followed the child on this side before."""
        return (child.id, person.id, side) in self._followed

    def has_side(self, child: Child, side: Side) -> bool:
        """Whether anybody followed the child on this side before."""
        return (child.id, side) in self._sides

    @cached_property
    def _ids(self) -> list[int]:
        return [child.id for children in self._by_name.values() for child in children]

    @cached_property
    def _categories(self) -> set[tuple[int, str]]:
        return rolls.categories_held(self.directory.turn.session, self._ids)

    @cached_property
    def _followed(self) -> set[tuple[int, int, str]]:
        return rolls.followed(self.directory.turn.session, self._ids)

    @cached_property
    def _sides(self) -> set[tuple[int, str]]:
        return {(child, side) for child, _, side in self._followed}
