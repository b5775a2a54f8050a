"""The steps of a certification: gather, decide, apply. One module for each Lambda, same name.

Every step is ``run(event, context) -> answer``. ``event`` and ``answer`` are small frozen values
that the state machine passes on; ``context`` holds the adapters, the clock and the settings. What a
step finds it writes to ``runs/<run id>/<step>.json``; one that refuses raises its findings, and
``lambdas/_step.py`` writes them before the machine hears of it.
"""
