//! SQLite: events and their outbox, stored before they are announced.
