"""Host names of RDS: of which Region, and whose certificate is behind them.

The forms are those that RDS gives out: ``<id>.<hash>.<region>.rds.amazonaws.com``, with
``cluster-``, ``cluster-ro-``, ``cluster-custom-`` or ``proxy-`` before the hash; in China
``<id>.<hash>.rds.<region>.amazonaws.com.cn`` (both orders are met).
"""

import re
from dataclasses import dataclass

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn")


@dataclass(frozen=True)
class RdsName:
    """What a host name of RDS says.

    Attributes:
        identifier: its first label: of the instance, cluster or proxy.
        qualifier: what stands before the Region, such as ``cluster-abc123``.
        region: such as ``eu-west-1``.
    """

    identifier: str
    qualifier: str
    region: str

    @property
    def is_proxy(self) -> bool:
        """Whether it is an RDS Proxy, whose certificate is of Amazon Trust Services."""
        return self.qualifier.startswith("proxy-")

    @property
    def is_cluster(self) -> bool:
        """Whether it stands for a cluster: its writer, its readers, or a choice of them."""
        return self.qualifier.startswith("cluster-")


def rds_name(host: str) -> RdsName | None:
    """Return what a host name of RDS says; ``None``: it is not one. Case and a final dot do not
    matter."""
    plain = host.lower().removesuffix(".")
    domain = next((one for one in _DOMAINS if plain.endswith(one)), None)
    if domain is None:
        return None
    labels = plain.removesuffix(domain).split(".")
    if len(labels) < 4 or not all(labels):
        return None
    *before, one, two = labels
    region = two if one == "rds" else one
    if "rds" not in (one, two) or _REGION.fullmatch(region) is None:
        return None
    return RdsName(identifier=before[0], qualifier=before[-1], region=region)
