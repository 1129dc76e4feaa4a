//! The `recorder` command.

fn main() {}
