//! Settings layers compiled to one checked configuration, or every error at once.
