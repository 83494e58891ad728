"""What happened: plain facts, each with the storage id, partition and time it stands on."""
