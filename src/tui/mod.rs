//! The screen: a full-screen terminal program for one operator's day. Choose, watch, read.
//!
//! An Elm loop: [`keys::Keymap`] turns a key into a [`Msg`], [`Model::update`] turns a message
//! into a new state and [`Effect`]s, [`view::view`] draws the state. Neither update nor view does
//! any input or output; [`run`] performs the effects and is the only part that knows a terminal.
//! What the screen needs from the rest of the program it gets through [`outside`]: a planner, and
//! a controller that starts runs and hands back their events.

mod app;
mod keys;
mod mailbox;
mod model;
mod msg;
mod outside;
mod pipe;
mod preferences;
mod symbols;
mod terminal;
mod theme;
mod view;
mod widgets;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use app::{TuiError, run};
pub use mailbox::{Mail, Mailbox};
pub use model::{Live, Model, Opened};
pub use msg::{Effect, Msg};
pub use outside::{
    Ask, Attached, BackendOption, Controller, Export, HubPlace, Inputs, Outcome, PlanPreview,
    Planner, Problem, ProfileEntry, Request, RunEnd, Shelf, Started, Stop, Told, Wish,
};
pub use preferences::{Mouse, Preferences, Runs};
pub use symbols::Symbols;
pub use theme::Theme;
