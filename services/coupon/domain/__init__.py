"""What coupons are worth, who may have them and what may become of them: rules without I/O."""
