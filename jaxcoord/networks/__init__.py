"""Who meets whom: networks as padded lists of neighbours and as matrices, made on the device."""
