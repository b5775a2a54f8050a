"""One file for each Lambda function, in the shape of ``_step``, which every one imports last.

The garbage collector waits until then: what an import makes stays, and looking through all of it
again and again was a tenth of a cold start.
"""

import gc

gc.disable()
