"""What 09_stories asks: texts after the recipes of TinyStories and Phi-1."""
