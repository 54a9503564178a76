"""Names: which are allowed, and a random one where none was given."""

import random
import re
from collections.abc import Container

from wherry.kit.errors import InvalidInput

_NAME = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+")

_LEFT = (
    "amber brisk calm candid civil clever cordial daring deft eager earnest fair fleet fond frank "
    "gentle glad hardy honest jolly keen kind limber lively loyal lucid mellow merry mild modest "
    "neat nimble noble patient placid plucky polite prompt proud quick quiet ready robust sage "
    "serene sharp sincere sleek snug sober spry stable staunch steady stout sunny supple sturdy "
    "tender thrifty tidy trim trusty upbeat vivid warm wary wise witty zesty"
).split()
_RIGHT = (
    "barge bark brig canoe caravel carrack catboat clipper coble cog coracle corvette curragh "
    "cutter dhow dinghy dory drifter felucca ferry frigate galleon galley gig gondola gulet hoy "
    "junk kayak keel ketch knarr launch lighter longboat lugger nao outrigger packet pinnace "
    "pontoon pram proa punt raft sampan schooner scow sharpie skiff sloop smack snow tartane "
    "tender tjalk trawler trimaran tug umiak whaler xebec yacht yawl"
).split()


def check_name(name: str) -> str:
    """The name without its leading slash. Raises InvalidInput with dockerd's text."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return name.removeprefix("/")


def random_name(taken: Container[str]) -> str:
    """A free name of two words; with a number behind it when luck runs out."""
    for attempt in range(100):
        name = f"{random.choice(_LEFT)}_{random.choice(_RIGHT)}"
        if attempt > 5:
            name += str(random.randrange(10 * attempt))
        if name not in taken:
            return name
    return f"{random.choice(_LEFT)}_{random.choice(_RIGHT)}{random.getrandbits(48):x}"
