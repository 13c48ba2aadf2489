//! The REST control plane: routes, OpenAPI, problem+json, server-sent events.
