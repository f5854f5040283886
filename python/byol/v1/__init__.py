"""Messages of byol.coordinator.v1, generated from proto/operator.proto by `make proto`."""
