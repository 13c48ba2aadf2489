//! MQTT topics, payloads, discovery, and the session that drains the outbox.
