"""The faults, one file each. A fault has a name, a weight, hold (seconds, low and high) and

    possible(deployment)           whether this deployment has the lever
    choose(deployment, random)     parameters, as JSON values, from the seeded random alone; None: not now
    inject(deployment, what)       returns within 2 s
    lift(deployment, what)         undoes it; may be called twice; leaves the cluster able to heal
"""

from .blackout import Blackout
from .flip import Flip
from .kill import Kill
from .lie import Lie
from .lost_reply import LostReply
from .partition import Partition
from .pause import LongPause, Pause
from .power_cut import PowerCut

ALL = [Kill(), Pause(), LongPause(), Partition(), LostReply(), Flip(), Lie(), PowerCut(), Blackout()]
