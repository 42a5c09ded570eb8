//! # steerage-module: the module that ships
//!
//! The filter without extensions, as Envoy loads it. It is a separate package because a module has
//! exactly one entry point: a custom filter links the library `steerage` and defines its own entry
//! point with the same macro.

steerage::filter!();
