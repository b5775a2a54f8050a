"""Chaos: every fault at every call and at every state of a story, then only the schedule.

A story is played once, undisturbed, in one thread. At every AWS call of the product, and at every
state that an execution enters, the process forks for each fault that can strike there: the copy
goes on with the fault, lets the schedule work, and reports what has come of it, while the original
goes on undisturbed. So a case shares all that came before it, and no case sees another.

``pairs`` plays two things at once, drawn by a seed: a second fault, a call that lands late, another
execution, a person. The end need not be that of the story; it keeps every promise of ``promises``.
"""

from sandbox.chaos.explore import Case, Explorer, Result
from sandbox.chaos.stories import STORIES, Story

__all__ = ["STORIES", "Case", "Explorer", "Result", "Story"]
