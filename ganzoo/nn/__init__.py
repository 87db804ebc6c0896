"""From a Spec to torch: functions, modules, networks, and an interpreter of expressions."""
