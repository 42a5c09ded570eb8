//! # steerage-module: the module that ships
//!
//! The filter without extensions, as Envoy loads it. It is a package of its own because a module has
//! exactly one entry point: whoever builds a filter of their own links the library `steerage` and
//! states theirs with the same macro.

steerage::filter!();
