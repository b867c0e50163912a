"""What the bytes of a picture mean, one file for each container; ``configs.pictures`` is the one import for others.

    PNG, JPEG, TIFF ──> layout read here, byte by byte ──┐   depth, sign, polarity, transparency, profile, orientation
    all others ───────> Pillow's own reader ─────────────┤
                                                         └──> Opened ──rgb()──> sRGB on white, not yet turned

Pillow decompresses and converts; what the numbers mean is read from the file, because Pillow's modes
do not say it. Metadata that no pixel needs never reaches Pillow, so it cannot cost the picture.
"""
