//! hubmark.

fn main() {}
