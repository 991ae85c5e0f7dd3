"""A phone as tests in the same process hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.simulator import acts, filetypes, menus, qr, telephone
from bot.simulator.screens import transcript_line

if TYPE_CHECKING:
    import asyncio

    from bot.simulator.state import Phone, ScreenItem
    from bot.simulator.world import World


@dataclass(frozen=True)
class PhoneHandle:
    """One person's phone; every act waits until its push is settled and gives the new screen items."""

    world: World
    user: Phone

    @property
    def openid(self) -> str:
        """The user's openid."""
        return self.user.openid

    @property
    def screen(self) -> list[ScreenItem]:
        """Everything on the screen, oldest first."""
        return self.user.screen

    @property
    def transcript(self) -> str:
        """The screen as text, one item a line."""
        return "\n".join(map(transcript_line, self.user.screen))

    async def _settled(self, before: int, task: asyncio.Task[None] | None) -> list[ScreenItem]:
        if task is not None:
            await task
        return self.user.screen[before:]

    async def say(self, text: str) -> list[ScreenItem]:
        """Type and send."""
        before = len(self.screen)
        return await self._settled(before, acts.say(self.world, self.user, text))

    async def tap(self, item_id: str, content: str) -> list[ScreenItem]:
        """Tap a customer-service menu item."""
        before = len(self.screen)
        return await self._settled(before, acts.tap(self.world, self.user, item_id, content))

    async def send_image(self, data: bytes) -> list[ScreenItem]:
        """Send a photo."""
        before = len(self.screen)
        kind = filetypes.image_type(data)
        return await self._settled(before, acts.picture(self.world, self.user, data, kind))

    async def send_voice(self, data: bytes, fmt: str = "amr") -> list[ScreenItem]:
        """Send a recording."""
        before = len(self.screen)
        kind = filetypes.TYPES.get(fmt, f"audio/{fmt}")
        return await self._settled(before, acts.voice(self.world, self.user, data, kind, fmt))

    async def send_location(self, lat: float, lng: float, label: str = "") -> list[ScreenItem]:
        """Send a pin."""
        before = len(self.screen)
        return await self._settled(before, acts.location(self.world, self.user, acts.Pin(lat, lng, label, 15)))

    async def send_sticker(self) -> list[ScreenItem]:
        """Send a GIF sticker."""
        before = len(self.screen)
        return await self._settled(before, acts.sticker(self.world, self.user))

    async def press(self, key: str) -> list[ScreenItem]:
        """Tap a click button of the menu this user sees; raises KeyError when there is none."""
        before, button = len(self.screen), menus.find(menus.seen_by(self.world, self.user), key)
        if button is None:
            raise KeyError(key)
        self.world.show(self.user, "me", "event", str(button["name"]))
        return await self._settled(before, acts.event(self.world, self.user, "CLICK", {"EventKey": button["key"]}))

    @property
    def ringing(self) -> bool:
        """Whether a call waits to be taken."""
        return self.user.ring is not None and not self.user.ring.picked_up

    async def answer_sms(self, text: str) -> list[ScreenItem]:
        """Send an SMS back; raises NotPossibleError."""
        before = len(self.screen)
        return await self._settled(before, telephone.answer_sms(self.world, self.user, text))

    async def pick_up(self) -> list[ScreenItem]:
        """Take the call; raises NotPossibleError."""
        before = len(self.screen)
        return await self._settled(before, telephone.pick_up(self.world, self.user))

    async def press_key(self, key: str) -> list[ScreenItem]:
        """Press a key during the call; raises NotPossibleError."""
        before = len(self.screen)
        return await self._settled(before, telephone.press(self.world, self.user, key))

    async def hang_up(self) -> list[ScreenItem]:
        """End the call, or refuse it while it rings; raises NotPossibleError."""
        before = len(self.screen)
        return await self._settled(before, telephone.hang_up(self.world, self.user))

    async def scan(self, scene: str) -> list[ScreenItem]:
        """Scan the newest QR code with that scene; raises KeyError when none was made."""
        before, code = len(self.screen), qr.find(self.world, scene=scene)
        if code is None:
            raise KeyError(scene)
        return await self._settled(before, acts.scan(self.world, self.user, code))

    async def follow(self) -> list[ScreenItem]:
        """Follow the account."""
        before = len(self.screen)
        return await self._settled(before, acts.follow(self.world, self.user))

    async def unfollow(self) -> list[ScreenItem]:
        """Leave the account."""
        before = len(self.screen)
        return await self._settled(before, acts.unfollow(self.world, self.user))
