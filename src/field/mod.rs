//! Floor 1: Modbus knowledge: register maps, words to readings, what a line does next. Pure.
