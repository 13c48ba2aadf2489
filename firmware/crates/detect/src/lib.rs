//! NanoDet: manifest check, pre-processing, decoding, NMS.
