"""Egress rules: what a container may reach outside of its networks.

`policy` decides (pure), `guards` knows whose rules apply and which names an address has by our own
DNS answers. Both run in the network process: standard library only.
"""
