//! The steps of setting up PingOne that a remedy may name; `docs/setup-pingone.md` has them in full.
//!
//! Step 8 is not here: what it switches has no documented effect on the grant, so nothing blames it.

/// A step of `docs/setup-pingone.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Before step 1: the two environments are connected.
    Connected,
    /// 2: the resource's attribute `groups`.
    Attributes,
    /// 3: the resource's scope.
    Scopes,
    /// 4: the application's type.
    Application,
    /// 5: grant type and authentication method.
    Configuration,
    /// 6: the scope is granted to the application.
    Resources,
    /// 7: the application is on.
    Toggle,
}

impl Step {
    /// Its number in the guide; 0 is what must be there before the first.
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

    /// Where in the console: page and tab.
    #[must_use]
    pub const fn tab(self) -> &'static str {
        match self {
            Self::Connected => "the environments themselves",
            Self::Attributes => "Resources > the resource > Attributes",
            Self::Scopes => "Resources > the resource > Scopes",
            Self::Application => "Applications > Add",
            Self::Configuration => "Applications > the application > Configuration",
            Self::Resources => "Applications > the application > Resources",
            Self::Toggle => "Applications > the application, the switch at its name",
        }
    }

    /// The guide's page and heading.
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
