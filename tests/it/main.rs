//! Integration tests: one binary, a module a concern.

mod house;
