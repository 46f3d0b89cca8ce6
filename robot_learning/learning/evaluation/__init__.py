"""Rolling out policies and experts in simulation: demonstrations, evaluation, videos."""
