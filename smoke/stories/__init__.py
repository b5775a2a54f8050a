"""What a smoke does, story by story. Each stands alone and cleans up after itself."""

from smoke.stories import acm, certificates, endpoint, login, silence, tasks, trust
from smoke.stories.story import Story

__all__ = ["STORIES", "Story"]

STORIES = (
    certificates.STORY,
    endpoint.STORY,
    login.STORY,
    silence.STORY,
    trust.SELF_SIGNED,
    trust.INTERMEDIATE,
    tasks.STORY,
    acm.STORY,
)
