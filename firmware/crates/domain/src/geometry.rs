//! Sizes, points and boxes. Coordinates are shares of the picture: 0,0 is its top left corner and
//! 1,1 its bottom right one.

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Size {
    /// A size of `width` × `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Pixels in the whole picture.
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A point of the picture, each coordinate a share in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Share of the width, from the left.
    pub x: f32,
    /// Share of the height, from the top.
    pub y: f32,
}

impl Point {
    /// A point at `x`, `y`.
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }
}

/// An axis-parallel box: top left corner, width and height, as shares of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BBox {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width, not negative.
    pub w: f32,
    /// Height, not negative.
    pub h: f32,
}

impl BBox {
    /// A box from its top left corner and its size.
    pub const fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }

    /// The whole picture.
    pub const WHOLE: Self = Self::new(0.0, 0.0, 1.0, 1.0);

    /// A box from two opposite corners, given as left, top, right, bottom.
    pub fn from_corners(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self::new(left, top, (right - left).max(0.0), (bottom - top).max(0.0))
    }

    /// Right edge.
    pub fn right(self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    pub fn bottom(self) -> f32 {
        self.y + self.h
    }

    /// Share of the picture that the box covers.
    pub fn area(self) -> f32 {
        self.w * self.h
    }

    /// The middle of the box.
    pub fn centre(self) -> Point {
        Point::new(self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// The middle of the lower edge: where an object stands on the ground.
    pub fn bottom_centre(self) -> Point {
        Point::new(self.x + self.w / 2.0, self.bottom())
    }

    /// The part of the box that lies inside the picture.
    pub fn clamped(self) -> Self {
        Self::from_corners(
            self.x.clamp(0.0, 1.0),
            self.y.clamp(0.0, 1.0),
            self.right().clamp(0.0, 1.0),
            self.bottom().clamp(0.0, 1.0),
        )
    }

    /// Intersection over union with `other`, 0..=1; 0 where both are empty.
    pub fn iou(self, other: Self) -> f32 {
        let w = self.right().min(other.right()) - self.x.max(other.x);
        let h = self.bottom().min(other.bottom()) - self.y.max(other.y);
        if w <= 0.0 || h <= 0.0 {
            return 0.0;
        }
        let both = w * h;
        let union = self.area() + other.area() - both;
        if union > 0.0 { (both / union).clamp(0.0, 1.0) } else { 0.0 }
    }
}
