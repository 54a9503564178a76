"""Further processes in running containers: `table.Execs` holds them, the rest are use cases."""
