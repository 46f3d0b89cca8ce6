"""What every node uses: its host, its loop, its parameters, QoS and messages."""
