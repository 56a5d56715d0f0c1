"""Methods that sample: probes, replicas, rows."""
