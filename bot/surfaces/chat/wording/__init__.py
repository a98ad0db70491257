"""Every sentence that people read in chat: functions from cards to trees of `messages`. Pure."""
