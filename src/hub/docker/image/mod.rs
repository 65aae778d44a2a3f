//! Server images: built from embedded recipes or pulled, listed, removed.
//!
//! - [`provide`] builds and pulls images; [`store`] finds, lists and removes them.
//! - [`proxies`] finds the proxies of builds.
//! - [`recipe`] packs build contexts; [`progress`] parses the progress of builds and pulls.
//! - [`tools`] is the image of the helper programs.

pub mod progress;
pub mod provide;
pub mod proxies;
pub mod recipe;
pub mod store;
pub mod tools;
