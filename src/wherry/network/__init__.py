"""How containers reach each other, the host and the world: drivers, addresses, firewall, ports.

Drivers (`bridge`, `host`, `none`, `container`) work on values that the engine keeps; nothing here
knows the ledger, the API or a container's life. `process` is the program `wherry-net`, which
holds the listening ports and outlives the daemon: it and what it imports (`loop`, `relay`,
`datagram`, `outbound`, `ports`, `protocol`) use the standard library only.
"""
