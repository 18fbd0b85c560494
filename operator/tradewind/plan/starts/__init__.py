"""What a run reads when it starts: earlier runs, values that they left, ConfigMaps."""
