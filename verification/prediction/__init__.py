"""What a wide network becomes when it is trained on a sequence, and when: numbers and pictures."""
