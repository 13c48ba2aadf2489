//! The boards that have defaults of their own.

/// A board, or the kind of machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Board {
    /// Any other machine.
    #[default]
    Host,
    /// Raspberry Pi 4, 400 and Compute Module 4.
    Rpi4,
    /// Raspberry Pi 5, 500 and Compute Module 5.
    Rpi5,
}

impl Board {
    /// The board that this runs on, by the device tree's model.
    pub fn detect() -> Self {
        let model = std::fs::read_to_string("/proc/device-tree/model").unwrap_or_default();
        Self::from_model(&model)
    }

    /// The board of a device tree's model, such as `Raspberry Pi 4 Model B Rev 1.5`.
    pub fn from_model(model: &str) -> Self {
        let is = |number: char| {
            ["Raspberry Pi ", "Raspberry Pi Compute Module "].iter().any(|prefix| {
                model.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(number))
            })
        };
        match () {
            () if is('4') => Self::Rpi4,
            () if is('5') => Self::Rpi5,
            () => Self::Host,
        }
    }

    /// Its name: `host`, `rpi4` or `rpi5`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Rpi4 => "rpi4",
            Self::Rpi5 => "rpi5",
        }
    }

    /// Its layer of settings, TOML.
    pub(crate) fn defaults(self) -> &'static str {
        match self {
            Self::Host => include_str!("../../../config/20-board-host.toml"),
            Self::Rpi4 => include_str!("../../../config/20-board-rpi4.toml"),
            Self::Rpi5 => include_str!("../../../config/20-board-rpi5.toml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_trees_model_names_the_board() {
        for (model, board) in [
            ("Raspberry Pi 4 Model B Rev 1.5\0", Board::Rpi4),
            ("Raspberry Pi 400 Rev 1.0\0", Board::Rpi4),
            ("Raspberry Pi Compute Module 4 Rev 1.0\0", Board::Rpi4),
            ("Raspberry Pi 5 Model B Rev 1.0\0", Board::Rpi5),
            ("Raspberry Pi Compute Module 5 Rev 1.0\0", Board::Rpi5),
            ("Raspberry Pi 3 Model B Plus Rev 1.3\0", Board::Host),
            ("", Board::Host),
        ] {
            assert_eq!(Board::from_model(model), board, "{model}");
        }
    }
}
