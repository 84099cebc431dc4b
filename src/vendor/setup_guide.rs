//! The steps of `docs/setup-pingone.md` that a remedy can refer to.
//!
//! Step 8 is missing, because the setting that it describes has no documented effect on tokens.

/// A step of `docs/setup-pingone.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupStep {
    /// Before step 1: the PingOne environment is connected to the Advanced Services environment.
    Connected,
    /// Step 2: the attribute `groups` of the resource.
    Attributes,
    /// Step 3: the scope of the resource.
    Scopes,
    /// Step 4: the type of the application.
    Application,
    /// Step 5: grant type, authentication method and credentials of the application.
    Configuration,
    /// Step 6: the scopes that are granted to the application.
    Resources,
    /// Step 7: the application is enabled.
    Toggle,
}

impl SetupStep {
    /// The number of the step; 0 is the precondition of step 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Connected => 0,
            Self::Attributes => 2,
            Self::Scopes => 3,
            Self::Application => 4,
            Self::Configuration => 5,
            Self::Resources => 6,
            Self::Toggle => 7,
        }
    }

    /// The page and tab of the console.
    #[must_use]
    pub const fn tab(self) -> &'static str {
        match self {
            Self::Connected => "the environments themselves",
            Self::Attributes => "Resources > the resource > Attributes",
            Self::Scopes => "Resources > the resource > Scopes",
            Self::Application => "Applications > Add",
            Self::Configuration => "Applications > the application > Configuration",
            Self::Resources => "Applications > the application > Resources",
            Self::Toggle => "Applications > the application, the switch next to its name",
        }
    }

    /// The page and the heading of the guide.
    #[must_use]
    pub const fn guide(self) -> &'static str {
        match self {
            Self::Connected => "docs/setup-pingone.md#step-0",
            Self::Attributes => "docs/setup-pingone.md#step-2",
            Self::Scopes => "docs/setup-pingone.md#step-3",
            Self::Application => "docs/setup-pingone.md#step-4",
            Self::Configuration => "docs/setup-pingone.md#step-5",
            Self::Resources => "docs/setup-pingone.md#step-6",
            Self::Toggle => "docs/setup-pingone.md#step-7",
        }
    }
}

#[cfg(test)]
mod tests;
