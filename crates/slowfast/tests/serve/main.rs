//! `slowfast serve` as a person meets it: started in a shell, opened in Chromium, played with the keyboard.

mod browser;
mod model;
mod playing;
mod server;
