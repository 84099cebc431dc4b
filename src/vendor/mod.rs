//! What cupbearer knows about particular vendors: regions, endpoints, set-up steps, and what their servers' errors
//! mean.
//!
//! Pure functions from text to text: nothing here connects to anything, and nothing here knows the
//! configuration.

pub mod advanced_services;
pub mod pingone;
mod pingone_server;
mod remedy;
mod setup_guide;
mod token_error;

pub use pingone_server::PingOneServer;
pub use remedy::Remedy;
pub use setup_guide::SetupStep;
pub use token_error::{ClientSettings, TokenEndpointRejection};

/// A value that a vendor's rules reject, with what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorRejection {
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl VendorRejection {
    fn new(problem: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            problem: problem.into(),
            remedy,
        }
    }
}
