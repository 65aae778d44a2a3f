//! Colours of a drawing.

/// Text and axes.
pub const INK: (u8, u8, u8) = (0x1f, 0x24, 0x28);
/// Grid lines.
pub const GRID: (u8, u8, u8) = (0xd8, 0xdc, 0xe0);
/// Background, and the inside of hollow marks.
pub const PAPER: (u8, u8, u8) = (0xfe, 0xfe, 0xfe);
/// Colours of the series, from the palette of Okabe and Ito (2008), which remains distinguishable under
/// the common kinds of colour blindness; ordered so that neighbours also differ in brightness.
pub const SERIES_COLOURS: [(u8, u8, u8); 6] = [
    (0x00, 0x5f, 0x9e),
    (0xe0, 0x8f, 0x00),
    (0x00, 0x9e, 0x73),
    (0xb2, 0x3a, 0x48),
    (0x56, 0xb4, 0xe9),
    (0x8a, 0x63, 0xb0),
];

/// Formats a colour as `#RRGGBB`, as the drawing has it.
pub fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}
