"""Commands about the engine as a whole: version, info, events, inspect, df."""
