//! MediaMTX: its rendered configuration, its control API, where its binary is.
